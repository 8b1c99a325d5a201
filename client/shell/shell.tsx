/** The frame around every page: name, the three pages, colour scheme. */
import type { ReactNode } from "react";
import { Link } from "react-router";
import { ColorSchemeButton } from "./color-scheme-button.tsx";
import { PageLink } from "./page-link.tsx";
import classes from "./shell.module.css";

const pages = [
  { to: "/", label: "Chat" },
  { to: "/annotate", label: "Annotate" },
  { to: "/operate", label: "Operate" },
];

export function Shell({ children }: { children: ReactNode }) {
  return (
    <div className={classes.frame}>
      <a className={classes.skip} href="#main">
        Skip to content
      </a>
      <header className={classes.header}>
        <Link to="/" className={classes.brand} aria-label="Rejoinder, to the chat">
          <img src="/icon.svg" alt="" width={24} height={24} />
          <span className={classes.brandName}>Rejoinder</span>
        </Link>
        <nav aria-label="Pages" className={classes.pages}>
          {pages.map(({ to, label }) => (
            <PageLink key={to} to={to} label={label} />
          ))}
        </nav>
        <ColorSchemeButton />
      </header>
      <main id="main" className={classes.main} tabIndex={-1}>
        {children}
      </main>
    </div>
  );
}
