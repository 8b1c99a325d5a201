/** Why there is no reply, and what can be done about it. */
import { Alert, Button, Group } from "@mantine/core";
import type { Exchange } from "./conversation.ts";
import { failureTitle } from "./failure-title.ts";
import { useChatSession } from "./use-chat-session.ts";

export interface ReplyFailureProps {
  conversationKey: string;
  exchange: Exchange;
  onEdit: (clientMessageId: string) => void;
}

export function ReplyFailure({ conversationKey, exchange, onEdit }: ReplyFailureProps) {
  const session = useChatSession();
  const { clientMessageId, reply } = exchange;
  return (
    <Alert color="red" variant="light" title={failureTitle(reply.error?.code, reply.text !== "")} p="sm">
      {reply.error?.message}
      <Group gap="xs" mt="xs">
        <Button size="compact-sm" onClick={() => session.retry(conversationKey, clientMessageId)}>
          Retry
        </Button>
        <Button size="compact-sm" variant="default" onClick={() => onEdit(clientMessageId)}>
          Edit the message
        </Button>
      </Group>
    </Alert>
  );
}
