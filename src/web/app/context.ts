/** What the parts of the signed-in page share. */
import { createContext, useContext, useEffect, useState } from "react";
import { type Route, routeOf } from "./route.ts";
import type { Session } from "./session.ts";

export interface Shared extends Session {
  openPerson(userId: string): void;
}

export const SharedContext = createContext<Shared | null>(null);

export function usePage(): Shared {
  const shared = useContext(SharedContext);
  if (shared === null) throw new Error("This is a part of the signed-in page.");
  return shared;
}

export const goTo = (address: string): void => {
  location.hash = address;
};

/** What the address names. */
export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const follow = (): void => setRoute(routeOf(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return route;
}
