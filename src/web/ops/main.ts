/** The operator's page's entry. */
export const placeholder = document.getElementById("ops");
