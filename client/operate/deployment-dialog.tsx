import { Alert, Button, Group, Modal, Text, TextInput } from "@mantine/core";
import { useLocalStorage } from "@mantine/hooks";
import { type ReactNode, useState } from "react";
import type { DeploymentNote } from "./operate-api.ts";

export interface DeploymentDialogProps {
  title: string;
  consequence: string;
  /** What else there is to choose. */
  children?: ReactNode;
  /** What the confirming button says. */
  confirm: string;
  isPending: boolean;
  error: Error | null;
  onConfirm: (note: DeploymentNote) => void;
  onCancel: () => void;
}

/** Asks who changes what everyone will see, and why, for the deployment log. */
export function DeploymentDialog(props: DeploymentDialogProps) {
  const { title, consequence, children, confirm, isPending, error, onConfirm, onCancel } = props;
  const [reason, setReason] = useState("");
  const [operator, setOperator] = useLocalStorage({
    key: "rejoinder.operator",
    defaultValue: "",
    getInitialValueInEffect: false,
  });
  const isComplete = reason.trim() !== "" && operator.trim() !== "";
  return (
    <Modal opened onClose={onCancel} title={title} centered>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (isComplete) onConfirm({ operator: operator.trim(), reason: reason.trim() });
        }}
      >
        <Text size="sm" mb="md">
          {consequence}
        </Text>
        {children}
        <TextInput
          label="Reason"
          description="Stays in the deployment log, with your name."
          value={reason}
          maxLength={300}
          data-autofocus
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        <TextInput
          mt="sm"
          label="Your name"
          value={operator}
          maxLength={100}
          autoComplete="nickname"
          onChange={(event) => setOperator(event.currentTarget.value)}
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
          <Button type="submit" disabled={!isComplete} loading={isPending}>
            {confirm}
          </Button>
        </Group>
      </form>
    </Modal>
  );
}
