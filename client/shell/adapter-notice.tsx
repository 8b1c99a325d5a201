/** Says when another adapter begins to answer, whatever page is open. */
import { useEffect, useRef } from "react";
import { useChatState } from "../chat/use-chat-session.ts";
import { AdapterName } from "./adapter-name.tsx";
import { useNotify } from "./notices.tsx";

export function AdapterNotice() {
  const { liveAdapter } = useChatState();
  const notify = useNotify();
  const announced = useRef<string | null>(null);

  useEffect(() => {
    if (!liveAdapter || announced.current === liveAdapter.sha256) return;
    announced.current = liveAdapter.sha256;
    const message = (
      <>
        <AdapterName adapter={liveAdapter} /> answers from now on. Replies under way finish with the one they began
        with.
      </>
    );
    notify({ title: "A new adapter is live", message });
  }, [liveAdapter, notify]);

  return null;
}
