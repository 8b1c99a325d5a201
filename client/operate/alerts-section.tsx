import { Text } from "@mantine/core";
import type { AlertEvent } from "../../server/protocol/index.ts";
import { LogList } from "./log-list.tsx";
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
      <div aria-live="polite">
        <LogList
          entries={alerts.map(({ at, code, message }) => ({
            key: `${at} ${code} ${message}`,
            at,
            what: message,
            note: code,
          }))}
        />
      </div>
    </Section>
  );
}
