/** A conversation in the list: opens it; a menu renames or deletes it. */
import { ActionIcon, Menu } from "@mantine/core";
import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { Icon } from "../shell/icon.tsx";
import type { Conversation } from "./conversation.ts";
import { addressOf } from "./conversation-address.ts";
import classes from "./conversation-list.module.css";
import { DeleteConversation } from "./delete-conversation.tsx";
import { RenameField } from "./rename-field.tsx";
import { useChatSession } from "./use-chat-session.ts";

export interface ConversationRowProps {
  conversation: Conversation;
  isOpen: boolean;
  onChoose?: (() => void) | undefined;
}

export function ConversationRow({ conversation, isOpen, onChoose }: ConversationRowProps) {
  const session = useChatSession();
  const navigate = useNavigate();
  const [mode, setMode] = useState<"show" | "rename" | "delete">("show");
  const { key, title } = conversation;

  const rename = (to: string) => {
    session.rename(key, to);
    setMode("show");
  };
  const remove = () => {
    session.delete(key);
    if (isOpen) void navigate("/");
  };

  if (mode === "rename") {
    return (
      <li>
        <RenameField title={title} onRename={rename} onCancel={() => setMode("show")} />
      </li>
    );
  }
  return (
    <li className={classes.row} data-open={isOpen || undefined}>
      <Link
        to={addressOf(conversation)}
        className={classes.link}
        aria-current={isOpen ? "page" : undefined}
        onClick={onChoose}
      >
        {title}
      </Link>
      <Menu position="bottom-end" width={160}>
        <Menu.Target>
          <ActionIcon className={classes.more} variant="subtle" color="gray" aria-label={`Actions for “${title}”`}>
            <Icon name="more" />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<Icon name="pencil" size={16} />} onClick={() => setMode("rename")}>
            Rename
          </Menu.Item>
          <Menu.Item color="red" leftSection={<Icon name="trash" size={16} />} onClick={() => setMode("delete")}>
            Delete
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <DeleteConversation title={title} opened={mode === "delete"} onDelete={remove} onCancel={() => setMode("show")} />
    </li>
  );
}
