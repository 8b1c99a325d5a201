import { Alert, Button, Group, Modal, Text, TextInput } from "@mantine/core";
import { useState } from "react";

export interface DeploymentDialogProps {
  title: string;
  consequence: string;
  /** What the confirming button says. */
  confirm: string;
  isPending: boolean;
  error: Error | null;
  onConfirm: (reason: string) => void;
  onCancel: () => void;
}

/** Asks for the reason of a change that everyone will see, for the deployment log. */
export function DeploymentDialog(props: DeploymentDialogProps) {
  const { title, consequence, confirm, isPending, error, onConfirm, onCancel } = props;
  const [reason, setReason] = useState("");
  return (
    <Modal opened onClose={onCancel} title={title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (reason.trim()) onConfirm(reason.trim());
        }}
      >
        <Text size="sm" mb="md">
          {consequence}
        </Text>
        <TextInput
          label="Reason"
          description="Stays in the deployment log."
          value={reason}
          maxLength={300}
          data-autofocus
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        {error && (
          <Alert color="red" p="xs" mt="sm" role="alert">
            {error.message}
          </Alert>
        )}
        <Group justify="flex-end" mt="lg" gap="xs">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" disabled={reason.trim() === ""} loading={isPending}>
            {confirm}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
