/** Starts the pages: one chat session for as long as the tab is open, so that a reply goes on while one looks elsewhere. */
import "./mantine-styles.ts";
import "./global.css";
import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { BrowserRouter } from "react-router";
import { App } from "./app.tsx";
import { ChatSession } from "./chat/chat-session.ts";
import { browserClock } from "./chat/clock.ts";
import { createLocalConversationStore } from "./chat/conversation-store.ts";
import { newId } from "./chat/new-id.ts";
import { createSocketTransport } from "./chat/socket-transport.ts";
import { ChatSessionContext } from "./chat/use-chat-session.ts";
import { visitorOf } from "./chat/visitor.ts";
import { NoticesProvider } from "./shell/notices.tsx";
import { theme } from "./theme.ts";

const session = new ChatSession({
  transport: createSocketTransport(visitorOf(window.localStorage)),
  store: createLocalConversationStore(),
  clock: browserClock,
  newId,
  // A hidden tab paints no frames, but its listeners must still hear of a finished reply.
  schedule: (notify) => (document.hidden ? notify() : requestAnimationFrame(notify)),
});
window.addEventListener("pagehide", () => session.save());

const queryClient = new QueryClient({ defaultOptions: { queries: { retry: 1, refetchOnWindowFocus: false } } });
const root = document.getElementById("root");
if (!root) throw new Error("index.html has no element #root.");

createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto">
      <QueryClientProvider client={queryClient}>
        <ChatSessionContext value={session}>
          <NoticesProvider>
            <BrowserRouter>
              <App />
            </BrowserRouter>
          </NoticesProvider>
        </ChatSessionContext>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
