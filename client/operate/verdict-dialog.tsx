/** What the gate found out about a candidate, check by check. */
import { Modal, Table, Text } from "@mantine/core";
import type { Verdict, VerdictCheck } from "../../server/protocol/index.ts";
import { metricValue, shortTime } from "./format.ts";
import classes from "./operate.module.css";
import { StateBadge } from "./state-badge.tsx";

const number = (value: number | null) => (value === null ? "–" : metricValue(value));

function CheckRow({ check }: { check: VerdictCheck }) {
  const { name, passed, candidate, baseline, difference, limit, unit, n, explanation } = check;
  return (
    <Table.Tr>
      <Table.Td>
        {name.replaceAll(/([A-Z])/g, " $1").toLowerCase()}
        <div className={classes.explanation}>{explanation}</div>
      </Table.Td>
      <Table.Td>{limit === null ? "reported" : <StateBadge state={passed ? "passed" : "failed"} />}</Table.Td>
      <Table.Td className={classes.number}>{number(candidate)}</Table.Td>
      <Table.Td className={classes.number}>{number(baseline)}</Table.Td>
      <Table.Td className={classes.number}>
        {difference && `${number(difference.estimate)} (${number(difference.low)} to ${number(difference.high)})`}
      </Table.Td>
      <Table.Td className={classes.number}>{number(limit)}</Table.Td>
      <Table.Td>{unit}</Table.Td>
      <Table.Td className={classes.number}>{n}</Table.Td>
    </Table.Tr>
  );
}

export function VerdictDialog({ verdict, onClose }: { verdict: Verdict; onClose: () => void }) {
  const { candidate, baseline, judge, prompts, checks, offPolicy, summary, at } = verdict;
  return (
    <Modal opened onClose={onClose} size="80rem" title={`Gate of version ${candidate.version}`} centered>
      <Text size="sm">{summary}</Text>
      <Text size="sm" c="dimmed" mb="md">
        {shortTime(at)}, {prompts} held-out prompts, beside{" "}
        {baseline === null ? "the base model" : `version ${baseline.version}`}, judged by {judge.name}.
      </Text>
      <Table.ScrollContainer minWidth={760}>
        <Table className={classes.table} verticalSpacing={6}>
          <Table.Thead>
            <Table.Tr>
              {["Check", "Verdict", "Candidate", "Baseline", "Difference", "Limit", "Unit", "n"].map((title) => (
                <Table.Th key={title}>{title}</Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {checks.map((check) => (
              <CheckRow key={check.name} check={check} />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {offPolicy && (
        <Text size="sm" mt="md" className={classes.number}>
          Reward on logged replies, by importance weights: {number(offPolicy.estimate)} ({number(offPolicy.low)} to{" "}
          {number(offPolicy.high)}), logged {number(offPolicy.baseline)}; effective sample size{" "}
          {number(offPolicy.effectiveSampleSize)} of {offPolicy.n}.
        </Text>
      )}
    </Modal>
  );
}
