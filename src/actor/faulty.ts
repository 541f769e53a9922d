/** The application's fault: logged, never shown to clients. */
export class Faulty extends Error {}
