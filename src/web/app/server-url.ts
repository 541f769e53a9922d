/** Where this page's Troupe is: beside its script, also under a path prefix behind a proxy. */
export const SERVER_URL = new URL(".", import.meta.url).href;
