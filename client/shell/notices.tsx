/** Short messages in the corner that go by themselves; announced politely to screen readers. */
import { Notification } from "@mantine/core";
import { createContext, type ReactNode, use, useCallback, useRef, useState } from "react";
import classes from "./notices.module.css";

export interface Notice {
  title: string;
  message: ReactNode;
  tone?: "info" | "error";
}

const shownForMs = 9_000;
const NoticesContext = createContext<((notice: Notice) => void) | null>(null);

/** The function that shows a notice. */
export function useNotify(): (notice: Notice) => void {
  const notify = use(NoticesContext);
  if (!notify) throw new Error("useNotify needs a NoticesProvider above it.");
  return notify;
}

export function NoticesProvider({ children }: { children: ReactNode }) {
  const [notices, setNotices] = useState<(Notice & { id: number })[]>([]);
  const nextId = useRef(0);
  const dismiss = useCallback((id: number) => setNotices((all) => all.filter((notice) => notice.id !== id)), []);
  const notify = useCallback(
    (notice: Notice) => {
      const id = nextId.current++;
      setNotices((all) => [...all, { ...notice, id }]);
      setTimeout(() => dismiss(id), shownForMs);
    },
    [dismiss],
  );

  return (
    <NoticesContext value={notify}>
      {children}
      <div className={classes.stack} aria-live="polite" role="status">
        {notices.map(({ id, title, message, tone }) => (
          <Notification
            key={id}
            title={title}
            color={tone === "error" ? "red" : "petrol"}
            withBorder
            styles={{ description: { color: "var(--text-quiet)" } }}
            closeButtonProps={{ "aria-label": "Dismiss" }}
            onClose={() => dismiss(id)}
          >
            {message}
          </Notification>
        ))}
      </div>
    </NoticesContext>
  );
}
