/**
 * `/sdk/troupe.js` of a running Troupe: the client as one ES module, for pages without a build.
 *
 *   import { connect } from "https://chat.example.com/sdk/troupe.js";
 */
export * from "./index.ts";
export * from "./presence.ts";
export * from "./social.ts";
