/** Whether the server can be reached, in words and colour. */
import type { ConnectionState } from "./chat-transport.ts";
import classes from "./connection-badge.module.css";

const shown: Record<ConnectionState, { label: string; color: string }> = {
  online: { label: "Connected", color: "var(--level-low)" },
  connecting: { label: "Connecting…", color: "var(--level-medium)" },
  offline: { label: "No connection", color: "var(--level-high)" },
};

export function ConnectionBadge({ state }: { state: ConnectionState }) {
  const { label, color } = shown[state];
  return (
    <span className={classes.badge} role="status">
      <span className={classes.dot} style={{ background: color }} />
      {label}
    </span>
  );
}
