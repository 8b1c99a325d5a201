/** One conversation: what was said, and the place to write. */
import { ActionIcon, Alert } from "@mantine/core";
import { useState } from "react";
import { useLocation, useNavigate } from "react-router";
import { Icon } from "../shell/icon.tsx";
import classes from "./chat-pane.module.css";
import { Composer } from "./composer.tsx";
import { ConnectionBadge } from "./connection-badge.tsx";
import { ConsentSwitch } from "./consent-switch.tsx";
import { type Conversation, unfinishedExchange } from "./conversation.ts";
import { ExchangeView } from "./exchange-view.tsx";
import { useChatSession, useChatState } from "./use-chat-session.ts";
import { useEscape } from "./use-escape.ts";
import { useStickToBottom } from "./use-stick-to-bottom.ts";
import { Welcome } from "./welcome.tsx";

export interface ChatPaneProps {
  /** Undefined for one that begins with the next message. */
  conversation: Conversation | undefined;
  onShowList: () => void;
}

export function ChatPane({ conversation, onShowList }: ChatPaneProps) {
  const session = useChatSession();
  const { connection, storageFull } = useChatState();
  const navigate = useNavigate();
  const [text, setText] = useState(useWithdrawnText());
  const [newConsent, setNewConsent] = useState(false);
  const scroller = useStickToBottom(conversation);

  const consent = conversation?.consent ?? newConsent;
  const isReplying = unfinishedExchange(conversation) !== undefined;
  const stop = () => conversation && session.stop(conversation.key);
  useEscape(stop, isReplying);

  const send = (message: string) => {
    setText("");
    const key = session.send(conversation?.key ?? null, message, consent);
    if (!conversation) void navigate(`/c/${key}`);
  };
  const setConsent = (chosen: boolean) =>
    conversation ? session.setConsent(conversation.key, chosen) : setNewConsent(chosen);
  const edit = (clientMessageId: string) => {
    if (!conversation) return;
    const withdrawn = session.withdraw(conversation.key, clientMessageId);
    // With its only message the conversation is gone; the text moves to a new one.
    if (conversation.exchanges.length === 1) void navigate("/", { replace: true, state: withdrawn });
    else setText(withdrawn);
  };

  return (
    <section className={classes.pane} aria-label={conversation?.title ?? "New conversation"}>
      <div className={classes.bar}>
        <ActionIcon
          className={classes.listButton}
          variant="subtle"
          color="gray"
          size="lg"
          aria-label="Show conversations"
          onClick={onShowList}
        >
          <Icon name="menu" />
        </ActionIcon>
        <h1 className={classes.title}>{conversation?.title ?? "New conversation"}</h1>
        <ConnectionBadge state={connection} />
      </div>
      {storageFull && (
        <Alert color="orange" radius={0} title="This browser's storage is full">
          Conversations stay on the page but are lost when it closes. Delete old ones to make room.
        </Alert>
      )}
      <div className={classes.scroller} ref={scroller}>
        {conversation ? (
          <ol className={classes.exchanges}>
            {conversation.exchanges.map((exchange) => (
              <ExchangeView
                key={exchange.clientMessageId}
                conversationKey={conversation.key}
                exchange={exchange}
                onEdit={edit}
              />
            ))}
          </ol>
        ) : (
          <Welcome onChoose={setText} />
        )}
      </div>
      <div className={classes.foot}>
        <Composer text={text} onText={setText} isReplying={isReplying} onSend={send} onStop={stop} />
        <ConsentSwitch consent={consent} onConsent={setConsent} />
      </div>
    </section>
  );
}

/** The text that was taken out of a conversation on the way here. */
function useWithdrawnText(): string {
  const { state } = useLocation();
  return typeof state === "string" ? state : "";
}
