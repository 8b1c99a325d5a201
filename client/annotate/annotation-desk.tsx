/** The reply under judgement, the form beside it, and the keys that work both. */
import { Alert, Button, Skeleton, Stack, Text, Title } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { useRef, useState } from "react";
import classes from "./annotate.module.css";
import { AnnotationForm } from "./annotation-form.tsx";
import type { AnnotationCommand } from "./annotation-keys.ts";
import { CheatSheet } from "./cheat-sheet.tsx";
import { DeskBar } from "./desk-bar.tsx";
import { ReplyCard } from "./reply-card.tsx";
import { useAnnotationKeys } from "./use-annotation-keys.ts";
import { useAnnotationQueue } from "./use-annotation-queue.ts";

export interface AnnotationDeskProps {
  annotator: string;
  onChangeAnnotator: () => void;
}

export function AnnotationDesk({ annotator, onChangeAnnotator }: AnnotationDeskProps) {
  const queue = useAnnotationQueue(annotator);
  const [helpOpen, help] = useDisclosure(false);
  const [revealed, setRevealed] = useState<ReadonlySet<string>>(new Set());
  const note = useRef<HTMLTextAreaElement>(null);
  const rewrite = useRef<HTMLTextAreaElement>(null);
  const { current } = queue;

  const toggleRevealed = () => {
    if (!current) return;
    const others = new Set(revealed);
    if (!others.delete(current.id)) others.add(current.id);
    setRevealed(others);
  };
  const act = (command: AnnotationCommand) => {
    if (command.kind === "label" || command.kind === "severity" || command.kind === "undo") queue.change(command);
    else if (command.kind === "submit") queue.submit();
    else if (command.kind === "previous") queue.move(-1);
    else if (command.kind === "next") queue.move(1);
    else if (command.kind === "reveal") toggleRevealed();
    else if (command.kind === "note") note.current?.focus();
    else if (command.kind === "rewrite") rewrite.current?.focus();
    else if (command.kind === "help") help.open();
    else if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
  };
  useAnnotationKeys(act);

  return (
    <div className={classes.desk}>
      <DeskBar queue={queue} annotator={annotator} onChangeAnnotator={onChangeAnnotator} onAct={act} />
      {queue.error && (
        <Alert color="red" title="The queue could not be loaded">
          {queue.error.message}
          <Button mt="xs" size="compact-sm" display="block" onClick={queue.refresh}>
            Try again
          </Button>
        </Alert>
      )}
      {queue.isLoading && <Skeleton height="18rem" />}
      {current && (
        <div className={classes.columns}>
          <ReplyCard exchange={current} isRevealed={revealed.has(current.id)} onReveal={toggleRevealed} />
          <AnnotationForm queue={queue} onAct={act} noteRef={note} rewriteRef={rewrite} />
        </div>
      )}
      {!current && !queue.isLoading && !queue.error && (
        <Stack align="center" gap="xs" py="12vh">
          <Title order={2}>The queue is empty</Title>
          <Text c="dimmed">You have judged every reply so far. New ones come with every chat.</Text>
          <Button variant="default" onClick={queue.refresh}>
            Look again
          </Button>
        </Stack>
      )}
      <CheatSheet opened={helpOpen} onClose={help.close} />
    </div>
  );
}
