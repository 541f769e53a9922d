/** A round button that is a sign with a name. */
import type { ReactElement, ReactNode } from "react";

export interface IconButtonProps {
  label: string;
  onClick(): void;
  children: ReactNode;
}

export function IconButton({ label, onClick, children }: IconButtonProps): ReactElement {
  return (
    <button
      type="button"
      className="icon-button"
      title={label}
      aria-label={label}
      onClick={onClick}
    >
      {children}
    </button>
  );
}
