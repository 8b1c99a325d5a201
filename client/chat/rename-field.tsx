import { TextInput } from "@mantine/core";
import { useRef, useState } from "react";

export interface RenameFieldProps {
  title: string;
  onRename: (title: string) => void;
  onCancel: () => void;
}

/** A conversation's title, being edited: Enter or leaving the field keeps it, Esc does not. */
export function RenameField({ title, onRename, onCancel }: RenameFieldProps) {
  const [text, setText] = useState(title);
  // Leaving the field is also what its removal looks like after Enter or Esc.
  const isOver = useRef(false);
  const end = (act: () => void) => {
    if (isOver.current) return;
    isOver.current = true;
    act();
  };
  return (
    <TextInput
      size="sm"
      aria-label="Title of the conversation"
      value={text}
      maxLength={60}
      autoFocus
      onFocus={(event) => event.currentTarget.select()}
      onChange={(event) => setText(event.currentTarget.value)}
      onBlur={() => end(() => onRename(text))}
      onKeyDown={(event) => {
        if (event.key === "Enter") end(() => onRename(text));
        if (event.key !== "Escape") return;
        event.preventDefault();
        end(onCancel);
      }}
    />
  );
}
