/** The chat: conversations at the side (in a drawer on a small screen), the open one beside them. */
import { Anchor, Drawer, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useEffect } from "react";
import { Link, useNavigate, useParams } from "react-router";
import classes from "./chat-page.module.css";
import { ChatPane } from "./chat-pane.tsx";
import { addressOf, findByAddress } from "./conversation-address.ts";
import { ConversationList } from "./conversation-list.tsx";
import { ReplyAnnouncer } from "./reply-announcer.tsx";
import { useChatState } from "./use-chat-session.ts";

export function ChatPage() {
  const { conversationId } = useParams();
  const { conversations } = useChatState();
  const navigate = useNavigate();
  const [listOpen, list] = useDisclosure(false);
  const conversation = findByAddress(conversations, conversationId);
  const address = conversation && addressOf(conversation);

  // A new conversation moves to the server's id as soon as it has one.
  useEffect(() => {
    if (address && conversationId && address !== `/c/${conversationId}`) void navigate(address, { replace: true });
  }, [address, conversationId, navigate]);

  return (
    <div className={classes.page}>
      <ReplyAnnouncer conversation={conversation} />
      <aside className={classes.side} aria-label="Conversations">
        <ConversationList open={conversation?.key} />
      </aside>
      <Drawer opened={listOpen} onClose={list.close} title="Conversations" size="20rem" padding="md">
        <ConversationList open={conversation?.key} onChoose={list.close} />
      </Drawer>
      {conversationId && !conversation ? (
        <Stack align="center" justify="center" gap="xs" p="xl">
          <Title order={1}>This conversation is not here</Title>
          <Text c="dimmed" ta="center">
            Conversations are kept in the browser they were held in; it may have been deleted here.
          </Text>
          <Anchor component={Link} to="/">
            Begin a new one
          </Anchor>
        </Stack>
      ) : (
        <ChatPane key={conversation?.key ?? "new"} conversation={conversation} onShowList={list.open} />
      )}
    </div>
  );
}
