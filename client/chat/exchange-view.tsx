/** One message with its reply. Drawn again only when this exchange changes, however long the conversation is. */
import { memo } from "react";
import { ToxicityMeter } from "../shell/toxicity-meter.tsx";
import type { Exchange } from "./conversation.ts";
import classes from "./exchange-view.module.css";
import { ReplyFailure } from "./reply-failure.tsx";
import { ReplyFooter } from "./reply-footer.tsx";
import { ReplyText } from "./reply-text.tsx";

export interface ExchangeViewProps {
  conversationKey: string;
  exchange: Exchange;
  onEdit: (clientMessageId: string) => void;
}

export const ExchangeView = memo(
  function ExchangeView({ conversationKey, exchange, onEdit }: ExchangeViewProps) {
    const { text, reply } = exchange;
    return (
      <li className={classes.exchange}>
        <article className={classes.message} aria-label="You wrote">
          <p className={classes.bubble}>{text}</p>
          {reply.toxicity && <ToxicityMeter of="message" value={reply.toxicity.prompt} />}
        </article>
        <article className={classes.reply} aria-label="Reply" aria-busy={reply.status === "streaming"}>
          <ReplyText reply={reply} />
          {reply.status === "failed" && (
            <ReplyFailure conversationKey={conversationKey} exchange={exchange} onEdit={onEdit} />
          )}
          {reply.status === "done" && <ReplyFooter conversationKey={conversationKey} exchange={exchange} />}
        </article>
      </li>
    );
  },
  (before, after) => before.exchange === after.exchange && before.conversationKey === after.conversationKey,
);
