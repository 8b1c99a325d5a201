/** Reads a finished reply to screen readers once; while it streams, they hear nothing. */
import { VisuallyHidden } from "@mantine/core";
import type { Conversation } from "./conversation.ts";
import { useChatState } from "./use-chat-session.ts";

/** Stays on the page from one conversation to the next: only a change within a live region is announced. */
export function ReplyAnnouncer({ conversation }: { conversation: Conversation | undefined }) {
  const { lastEnded } = useChatState();
  const last = conversation?.exchanges.at(-1);
  const endedHere = lastEnded?.key === conversation?.key && lastEnded?.clientMessageId === last?.clientMessageId;
  return <VisuallyHidden aria-live="polite">{endedHere && last ? announcementOf(last.reply) : ""}</VisuallyHidden>;
}

function announcementOf({ status, text, error }: Conversation["exchanges"][number]["reply"]): string {
  return status === "failed" ? `The reply failed. ${error?.message ?? ""}` : `Rejoinder: ${text}`;
}
