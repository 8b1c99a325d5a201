/** Which page stands at which address. Annotate and Operate load when opened, so that the chat stays light. */
import { lazy, Suspense } from "react";
import { Route, Routes } from "react-router";
import { ChatPage } from "./chat/chat-page.tsx";
import { AdapterNotice } from "./shell/adapter-notice.tsx";
import { NotFound } from "./shell/not-found.tsx";
import { PageFallback } from "./shell/page-fallback.tsx";
import { Shell } from "./shell/shell.tsx";

const AnnotatePage = lazy(async () => ({ default: (await import("./annotate/annotate-page.tsx")).AnnotatePage }));
const OperatePage = lazy(async () => ({ default: (await import("./operate/operate-page.tsx")).OperatePage }));

export function App() {
  return (
    <>
      <AdapterNotice />
      <Shell>
        <Suspense fallback={<PageFallback />}>
          <Routes>
            <Route path="/" element={<ChatPage />} />
            <Route path="/c/:conversationId" element={<ChatPage />} />
            <Route path="/annotate" element={<AnnotatePage />} />
            <Route path="/operate" element={<OperatePage />} />
            <Route path="*" element={<NotFound />} />
          </Routes>
        </Suspense>
      </Shell>
    </>
  );
}
