import { useEffect, useRef } from "react";
import { type AnnotationCommand, commandOf, type KeyPlace } from "./annotation-keys.ts";

/** Listens to the whole page and turns key presses into commands. */
export function useAnnotationKeys(act: (command: AnnotationCommand) => void): void {
  const latest = useRef(act);
  useEffect(() => {
    latest.current = act;
  });
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      const command = commandOf(event, placeOf(event.target));
      if (!command) return;
      event.preventDefault();
      latest.current(command);
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}

function placeOf(target: EventTarget | null): KeyPlace {
  if (!(target instanceof Element)) return "page";
  if (target.closest('[role="dialog"]')) return "dialog";
  if (target.closest("input, textarea, select")) return "text";
  if (target.closest("[data-choice]")) return "choice";
  return target.closest("button, a") ? "control" : "page";
}
