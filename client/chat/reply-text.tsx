/** The reply's text as far as it has come, or what one is waiting for. */
import { Loader } from "@mantine/core";
import type { Reply } from "./conversation.ts";
import classes from "./exchange-view.module.css";
import { useChatState } from "./use-chat-session.ts";

export function ReplyText({ reply }: { reply: Reply }) {
  const { status, text } = reply;
  if (text !== "")
    return <p className={`${classes.text} ${status === "streaming" ? classes.streaming : ""}`}>{text}</p>;
  if (status === "failed") return null;
  if (status === "done") return <p className={classes.quiet}>The reply is empty.</p>;
  return <Waiting />;
}

function Waiting() {
  const { connection } = useChatState();
  if (connection === "online") return <Loader role="img" type="dots" size="sm" aria-label="Waiting for the reply" />;
  return <p className={classes.quiet}>Waiting for the connection; it goes on by itself.</p>;
}
