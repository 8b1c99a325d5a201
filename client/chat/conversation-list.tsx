/** The conversations of this browser, newest first, with a way to begin another. */
import { Button, Text } from "@mantine/core";
import { Link } from "react-router";
import { Icon } from "../shell/icon.tsx";
import classes from "./conversation-list.module.css";
import { ConversationRow } from "./conversation-row.tsx";
import { useChatState } from "./use-chat-session.ts";

export interface ConversationListProps {
  /** Key of the open conversation. */
  open: string | undefined;
  onChoose?: () => void;
}

export function ConversationList({ open, onChoose }: ConversationListProps) {
  const { conversations } = useChatState();
  return (
    <>
      <Button component={Link} to="/" fullWidth variant="default" leftSection={<Icon name="plus" />} onClick={onChoose}>
        New conversation
      </Button>
      {conversations.length === 0 ? (
        <Text size="sm" c="dimmed" mt="md" px={4}>
          Conversations are kept in this browser and listed here.
        </Text>
      ) : (
        <ul className={classes.list}>
          {conversations.map((conversation) => (
            <ConversationRow
              key={conversation.key}
              conversation={conversation}
              isOpen={conversation.key === open}
              onChoose={onChoose}
            />
          ))}
        </ul>
      )}
    </>
  );
}
