/** The looks of the signed-in page for what stands alone. */
import type { ReactElement, ReactNode } from "react";
import { useLook } from "./look.ts";

export function Plain({ children }: { children: ReactNode }): ReactElement {
  const { theme } = useLook();
  return (
    <div className="troupe page" data-theme={theme}>
      {children}
    </div>
  );
}
