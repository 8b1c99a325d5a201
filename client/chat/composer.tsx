/** Where a message is written: Enter sends, Shift+Enter begins a line; while a reply comes, the button stops it. */
import { ActionIcon, Textarea, Tooltip } from "@mantine/core";
import { type KeyboardEvent, useEffect, useRef } from "react";
import { Icon } from "../shell/icon.tsx";
import classes from "./composer.module.css";

export interface ComposerProps {
  text: string;
  onText: (text: string) => void;
  isReplying: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

export function Composer({ text, onText, isReplying, onSend, onStop }: ComposerProps) {
  const field = useRef<HTMLTextAreaElement>(null);
  const canSend = text.trim() !== "" && !isReplying;

  // Not on touch screens, where focus would raise the keyboard over what one came to read.
  useEffect(() => {
    if (window.matchMedia("(hover: hover)").matches) field.current?.focus();
  }, []);

  const send = () => {
    if (canSend) onSend(text.trim());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };

  return (
    <form
      className={classes.composer}
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <Textarea
        ref={field}
        className={classes.field}
        classNames={{ input: classes.input }}
        variant="unstyled"
        autosize
        minRows={1}
        maxRows={8}
        aria-label="Your message"
        placeholder="Write a message"
        value={text}
        onChange={(event) => onText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {isReplying ? (
        <Tooltip label="Stop (Esc)">
          <ActionIcon size="lg" radius="xl" variant="light" aria-label="Stop the reply" onClick={onStop}>
            <Icon name="stop" size={20} />
          </ActionIcon>
        </Tooltip>
      ) : (
        <Tooltip label="Send (Enter)">
          <ActionIcon type="submit" size="lg" radius="xl" aria-label="Send" disabled={!canSend}>
            <Icon name="send" size={20} />
          </ActionIcon>
        </Tooltip>
      )}
    </form>
  );
}
