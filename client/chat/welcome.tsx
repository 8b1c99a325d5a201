/** What the page is for, with something to try. */
import { Title } from "@mantine/core";
import classes from "./welcome.module.css";

const examples = [
  "People like you should go back to where they came from.",
  "Women are too emotional to lead anything.",
  "Nobody wants your religion in this town.",
];

export function Welcome({ onChoose }: { onChoose: (text: string) => void }) {
  return (
    <div className={classes.welcome}>
      <Title order={2} className={classes.title}>
        Answer hate with reasons
      </Title>
      <p className={classes.lead}>
        Paste a hateful or toxic message. Rejoinder replies with a counter-narrative instead of a refusal, and shows how
        toxic both are.
      </p>
      <ul className={classes.examples} aria-label="Examples to try">
        {examples.map((example) => (
          <li key={example}>
            <button type="button" className={classes.example} onClick={() => onChoose(example)}>
              {example}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
