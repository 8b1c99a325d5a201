/** The reply with the conversation that led to it; a toxic reply is blurred until the annotator asks for it. */
import { Badge, Button, Paper } from "@mantine/core";
import type { ExchangeSummary } from "../../server/protocol/index.ts";
import { AdapterName } from "../shell/adapter-name.tsx";
import { Icon } from "../shell/icon.tsx";
import { KeyHint } from "../shell/key-hint.tsx";
import { ToxicityMeter } from "../shell/toxicity-meter.tsx";
import classes from "./annotate.module.css";

/** Replies above this toxicity are blurred. */
const blurAbove = 0.7;
const speakers = { system: "System", user: "Person", assistant: "Rejoinder" };

export interface ReplyCardProps {
  exchange: ExchangeSummary;
  isRevealed: boolean;
  onReveal: () => void;
}

export function ReplyCard({ exchange, isRevealed, onReveal }: ReplyCardProps) {
  const { messages, reply, toxicity, adapter, finishReason, reward, feedback } = exchange;
  const isToxic = (toxicity?.reply ?? 0) > blurAbove;
  const isBlurred = isToxic && !isRevealed;
  const said = messages.filter(({ role }) => role !== "system").map((message, turn) => ({ ...message, turn }));

  return (
    <Paper withBorder p="lg" component="section" aria-label="Conversation and reply">
      <ol className={classes.said}>
        {said.map(({ turn, role, content }) => (
          <li key={turn}>
            <span className={classes.speaker}>{speakers[role]}</span>
            <p className={classes.words}>{content}</p>
            {turn === said.length - 1 && toxicity && <ToxicityMeter of="message" value={toxicity.prompt} />}
          </li>
        ))}
      </ol>
      <div className={classes.judged}>
        <span className={classes.speaker}>The reply to judge</span>
        <div className={classes.veil}>
          <p className={classes.words} data-blurred={isBlurred || undefined} aria-hidden={isBlurred}>
            {reply}
          </p>
          {isBlurred && (
            <Button
              className={classes.reveal}
              size="compact-md"
              variant="default"
              leftSection={<Icon name="eye" size={16} />}
              onClick={onReveal}
            >
              Show the toxic reply <KeyHint keys="v" />
            </Button>
          )}
        </div>
        <div className={classes.facts}>
          {toxicity && <ToxicityMeter of="reply" value={toxicity.reply} attributes={toxicity.attributes} />}
          {reward && (
            <span title={rewardTerms(reward.terms)}>
              reward <span className={classes.number}>{reward.total.toFixed(2)}</span>
            </span>
          )}
          {feedback !== 0 && <span>{feedback > 0 ? "thumbs up" : "thumbs down"}</span>}
          {finishReason && finishReason !== "stop" && (
            <Badge size="sm" variant="dot" color="orange" tt="none" fw={500}>
              {finishReason === "cancelled" ? "stopped" : "cut"}
            </Badge>
          )}
          <AdapterName adapter={adapter} />
        </div>
        {isToxic && isRevealed && (
          <Button size="compact-sm" variant="subtle" mt="xs" onClick={onReveal}>
            Blur again <KeyHint keys="v" />
          </Button>
        )}
      </div>
    </Paper>
  );
}

function rewardTerms(terms: Record<string, number>): string {
  return Object.entries(terms)
    .map(([name, value]) => `${name} ${value.toFixed(2)}`)
    .join("\n");
}
