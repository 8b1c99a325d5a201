/** A link to a page in the header; every conversation counts as the chat. */
import { Link, useLocation } from "react-router";
import classes from "./shell.module.css";

export function PageLink({ to, label }: { to: string; label: string }) {
  const { pathname } = useLocation();
  const isHere = to === "/" ? pathname === "/" || pathname.startsWith("/c/") : pathname.startsWith(to);
  return (
    <Link to={to} className={classes.page} aria-current={isHere ? "page" : undefined}>
      {label}
    </Link>
  );
}
