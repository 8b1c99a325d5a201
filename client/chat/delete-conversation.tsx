import { Button, Group, Modal, Text } from "@mantine/core";

export interface DeleteConversationProps {
  title: string;
  opened: boolean;
  onDelete: () => void;
  onCancel: () => void;
}

/** Asks before a conversation goes, because it cannot be brought back. */
export function DeleteConversation({ title, opened, onDelete, onCancel }: DeleteConversationProps) {
  return (
    <Modal opened={opened} onClose={onCancel} title="Delete this conversation?" centered>
      <Text size="sm">“{title}” is removed from this browser. This cannot be undone.</Text>
      <Group justify="flex-end" mt="lg" gap="xs">
        <Button variant="default" onClick={onCancel}>
          Keep
        </Button>
        <Button color="red" onClick={onDelete} data-autofocus>
          Delete
        </Button>
      </Group>
    </Modal>
  );
}
