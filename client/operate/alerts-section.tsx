import { Text } from "@mantine/core";
import type { AlertEvent } from "../../server/protocol/index.ts";
import { shortTime } from "./format.ts";
import classes from "./operate.module.css";
import { Section } from "./section.tsx";

/** What the server warned of since the page was opened. */
export function AlertsSection({ alerts }: { alerts: readonly AlertEvent[] }) {
  return (
    <Section title="Alerts">
      {alerts.length === 0 && (
        <Text size="sm" c="dimmed">
          None since this page was opened.
        </Text>
      )}
      <ol className={classes.log} aria-live="polite">
        {alerts.map(({ at, code, message }) => (
          <li key={`${at} ${code} ${message}`}>
            <div>{message}</div>
            <div className={classes.quiet}>
              <time dateTime={at}>{shortTime(at)}</time> · {code}
            </div>
          </li>
        ))}
      </ol>
    </Section>
  );
}
