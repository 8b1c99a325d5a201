import { useEffect, useRef } from "react";

/** How far from the end still counts as reading the end, in pixels. */
const slack = 80;

/** Keeps a scroll container at its end as `content` changes, unless the reader has scrolled up. */
export function useStickToBottom(content: unknown) {
  const container = useRef<HTMLDivElement>(null);
  const sticks = useRef(true);

  useEffect(() => {
    const element = container.current;
    if (!element) return;
    const onScroll = () => {
      sticks.current = element.scrollHeight - element.scrollTop - element.clientHeight < slack;
    };
    element.addEventListener("scroll", onScroll, { passive: true });
    return () => element.removeEventListener("scroll", onScroll);
  }, []);

  useEffect(() => {
    const element = container.current;
    if (content !== undefined && element && sticks.current) element.scrollTop = element.scrollHeight;
  }, [content]);

  return container;
}
