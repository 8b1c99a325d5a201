/** What is known of a finished reply: toxicity, which adapter wrote it, whether it ended by itself; and the thumbs. */
import { ActionIcon, Badge, Tooltip } from "@mantine/core";
import type { FinishReason } from "../../server/protocol/index.ts";
import { AdapterName } from "../shell/adapter-name.tsx";
import { Icon } from "../shell/icon.tsx";
import { useNotify } from "../shell/notices.tsx";
import { ToxicityMeter } from "../shell/toxicity-meter.tsx";
import type { Exchange, Rating } from "./conversation.ts";
import classes from "./exchange-view.module.css";
import { useChatSession } from "./use-chat-session.ts";

const endings: Record<FinishReason, { label: string; why: string } | null> = {
  stop: null,
  cancelled: { label: "stopped", why: "The reply was stopped before its end." },
  length: { label: "cut", why: "The reply reached the greatest length allowed." },
  error: { label: "cut", why: "The server broke the reply off." },
};

const thumbs = [
  { value: 1, icon: "thumbsUp", label: "Good reply" },
  { value: -1, icon: "thumbsDown", label: "Bad reply" },
] as const;

export function ReplyFooter({ conversationKey, exchange }: { conversationKey: string; exchange: Exchange }) {
  const session = useChatSession();
  const notify = useNotify();
  const { rating, toxicity, adapter, finishReason } = exchange.reply;
  const ending = finishReason && endings[finishReason];

  const rate = async (value: Rating) => {
    const answer = await session.rate(conversationKey, exchange.clientMessageId, value);
    if (!answer.ok) notify({ tone: "error", title: "The rating was not saved", message: answer.error.message });
  };

  return (
    <footer className={classes.footer}>
      <span className={classes.thumbs}>
        {thumbs.map(({ value, icon, label }) => {
          const isGiven = rating === value;
          return (
            <Tooltip key={value} label={isGiven ? "Take the rating back" : label}>
              <ActionIcon
                size="md"
                variant={isGiven ? "light" : "subtle"}
                color={isGiven ? "petrol" : "gray"}
                aria-label={label}
                aria-pressed={isGiven}
                onClick={() => rate(isGiven ? 0 : value)}
              >
                <Icon name={icon} size={16} />
              </ActionIcon>
            </Tooltip>
          );
        })}
      </span>
      {toxicity && <ToxicityMeter of="reply" value={toxicity.reply} attributes={toxicity.attributes} />}
      {ending && (
        <Badge size="sm" variant="dot" color="orange" tt="none" fw={500} title={ending.why}>
          {ending.label}
        </Badge>
      )}
      {adapter && <AdapterName adapter={adapter} />}
    </footer>
  );
}
