/** Dated entries, newest first; the older ones on request. */
import { Anchor } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { shortTime } from "./format.ts";
import classes from "./operate.module.css";

export interface LogEntry {
  key: string;
  /** ISO date. */
  at: string;
  what: ReactNode;
  note: string;
}

const shownAtFirst = 8;

export function LogList({ entries }: { entries: readonly LogEntry[] }) {
  const [showsAll, setShowsAll] = useState(false);
  return (
    <>
      <ol className={classes.log}>
        {entries.slice(0, showsAll ? undefined : shownAtFirst).map(({ key, at, what, note }) => (
          <li key={key}>
            <div>{what}</div>
            <div className={classes.quiet}>
              <time dateTime={at}>{shortTime(at)}</time>
              {note && ` · ${note}`}
            </div>
          </li>
        ))}
      </ol>
      {entries.length > shownAtFirst && (
        <Anchor component="button" type="button" size="sm" mt="sm" onClick={() => setShowsAll(!showsAll)}>
          {showsAll ? "Only the latest" : `All ${entries.length}`}
        </Anchor>
      )}
    </>
  );
}
