/** Label, severity, note and rewrite of the reply under judgement. */
import { Alert, Button, Group, Paper, Textarea } from "@mantine/core";
import type { RefObject } from "react";
import { type AnnotationLabel, annotationLabels } from "../../server/protocol/index.ts";
import { Icon } from "../shell/icon.tsx";
import { KeyHint } from "../shell/key-hint.tsx";
import classes from "./annotate.module.css";
import type { AnnotationCommand } from "./annotation-keys.ts";
import { Choices } from "./choices.tsx";
import type { AnnotationQueue } from "./use-annotation-queue.ts";

const labelNames: Record<AnnotationLabel, string> = {
  toxic: "Toxic",
  off_topic: "Off topic",
  evasive: "Evasive",
  good: "Good",
  ok: "OK",
};
const labels = annotationLabels.map((label, index) => ({
  value: label,
  name: labelNames[label],
  hint: `${index + 1}`,
}));
const severities = [1, 2, 3, 4, 5].map((value) => ({ value, name: `${value}` }));

export interface AnnotationFormProps {
  queue: AnnotationQueue;
  onAct: (command: AnnotationCommand) => void;
  noteRef: RefObject<HTMLTextAreaElement | null>;
  rewriteRef: RefObject<HTMLTextAreaElement | null>;
}

export function AnnotationForm({ queue, onAct, noteRef, rewriteRef }: AnnotationFormProps) {
  const { draft, change } = queue;
  return (
    <Paper withBorder p="lg" component="section" aria-label="Judgement" className={classes.form}>
      <Choices
        title="What is the reply?"
        options={labels}
        chosen={draft.label}
        onChoose={(label) => onAct({ kind: "label", label })}
      />
      <Choices
        title="How severe is its fault? (optional)"
        keys="Shift 1…5"
        options={severities}
        chosen={draft.severity}
        ends={["slight", "severe"]}
        onChoose={(severity) => onAct({ kind: "severity", severity })}
      />
      <Textarea
        ref={noteRef}
        label={<FieldLabel text="Note" keyName="n" />}
        autosize
        minRows={1}
        maxRows={6}
        value={draft.note}
        onChange={(event) => change({ kind: "note", text: event.currentTarget.value })}
      />
      <Textarea
        ref={rewriteRef}
        label={<FieldLabel text="A better reply" keyName="r" />}
        autosize
        minRows={2}
        maxRows={10}
        value={draft.rewrite}
        onChange={(event) => change({ kind: "rewrite", text: event.currentTarget.value })}
      />
      {queue.submitError && (
        <Alert color="red" p="xs" role="alert">
          {queue.submitError.message}
        </Alert>
      )}
      <Group gap="xs" justify="space-between">
        <Button
          variant="subtle"
          color="gray"
          leftSection={<Icon name="undo" size={16} />}
          disabled={!queue.canUndo}
          onClick={() => onAct({ kind: "undo" })}
        >
          Undo <KeyHint keys="u" />
        </Button>
        <Button
          loading={queue.isSubmitting}
          disabled={draft.label === null}
          leftSection={queue.isHandedIn ? <Icon name="check" size={16} /> : undefined}
          onClick={() => onAct({ kind: "submit" })}
        >
          {queue.isHandedIn ? "Hand in again" : "Hand in"} <KeyHint keys="Enter" />
        </Button>
      </Group>
    </Paper>
  );
}

function FieldLabel({ text, keyName }: { text: string; keyName: string }) {
  return (
    <>
      {text} <KeyHint keys={keyName} />
    </>
  );
}
