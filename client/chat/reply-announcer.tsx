/** Reads a finished reply to screen readers once; while it streams, they hear nothing. */
import { VisuallyHidden } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { type Conversation, isUnfinished } from "./conversation.ts";

export function ReplyAnnouncer({ conversation }: { conversation: Conversation | undefined }) {
  const [announcement, setAnnouncement] = useState("");
  const awaited = useRef<string | null>(null);
  const last = conversation?.exchanges.at(-1);

  useEffect(() => {
    if (!last) return;
    if (isUnfinished(last)) {
      awaited.current = last.clientMessageId;
      setAnnouncement("");
    } else if (awaited.current === last.clientMessageId) {
      awaited.current = null;
      const { status, text, error } = last.reply;
      setAnnouncement(status === "failed" ? `The reply failed. ${error?.message ?? ""}` : `Rejoinder: ${text}`);
    }
  }, [last]);

  return <VisuallyHidden aria-live="polite">{announcement}</VisuallyHidden>;
}
