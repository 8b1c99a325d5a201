/** How far one has come, who one is, and the way back, forth and to the keys. */
import { ActionIcon, Anchor, Button, Group, Text, Title, Tooltip } from "@mantine/core";
import { Icon } from "../shell/icon.tsx";
import { KeyHint } from "../shell/key-hint.tsx";
import classes from "./annotate.module.css";
import type { AnnotationCommand } from "./annotation-keys.ts";
import type { AnnotationQueue } from "./use-annotation-queue.ts";

export interface DeskBarProps {
  queue: AnnotationQueue;
  annotator: string;
  onChangeAnnotator: () => void;
  onAct: (command: AnnotationCommand) => void;
}

export function DeskBar({ queue, annotator, onChangeAnnotator, onAct }: DeskBarProps) {
  const { position, items, handedIn, waiting } = queue;
  return (
    <div className={classes.bar}>
      <div>
        <Title order={1}>Annotate</Title>
        <Text size="sm" className={classes.quiet} role="status">
          {handedIn} judged, {waiting} waiting · as {annotator}{" "}
          <Anchor component="button" type="button" size="sm" onClick={onChangeAnnotator}>
            change
          </Anchor>
        </Text>
      </div>
      <Group gap={6}>
        <Tooltip label="Previous (←)">
          <ActionIcon
            variant="default"
            size="lg"
            aria-label="Previous reply"
            disabled={position === 0}
            onClick={() => onAct({ kind: "previous" })}
          >
            <Icon name="left" />
          </ActionIcon>
        </Tooltip>
        <Text size="sm" className={classes.position}>
          {items.length === 0 ? "0 / 0" : `${position + 1} / ${items.length}`}
        </Text>
        <Tooltip label="Next (→)">
          <ActionIcon
            variant="default"
            size="lg"
            aria-label="Next reply"
            disabled={position + 1 >= items.length}
            onClick={() => onAct({ kind: "next" })}
          >
            <Icon name="right" />
          </ActionIcon>
        </Tooltip>
        <Button
          variant="default"
          className={classes.keysButton}
          leftSection={<Icon name="keyboard" />}
          onClick={() => onAct({ kind: "help" })}
        >
          Keys <KeyHint keys="?" />
        </Button>
      </Group>
    </div>
  );
}
