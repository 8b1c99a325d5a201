import { AIMessage, type BaseMessage, HumanMessage, SystemMessage } from "@langchain/core/messages";
import type { ChatMessage } from "../../engine/types.ts";

const roles: Record<string, ChatMessage["role"]> = { system: "system", human: "user", ai: "assistant" };

/** LangChain's messages as the engine's. @throws for roles and content that a text model cannot be shown */
export function toChatMessages(messages: readonly BaseMessage[]): ChatMessage[] {
  return messages.map((message) => {
    const role = roles[message.getType()];
    if (role === undefined) {
      throw new TypeError(`Expected system, human and ai messages, got one of type "${message.getType()}"`);
    }
    return { role, content: message.text };
  });
}

export function fromChatMessages(messages: readonly ChatMessage[]): BaseMessage[] {
  return messages.map(({ role, content }) => {
    if (role === "system") return new SystemMessage({ content });
    return role === "user" ? new HumanMessage({ content }) : new AIMessage({ content });
  });
}
