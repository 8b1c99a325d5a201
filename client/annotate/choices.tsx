/** A row of buttons of which one may be pressed. */
import { Kbd } from "@mantine/core";
import { useId } from "react";
import classes from "./annotate.module.css";

export interface ChoicesProps<Value extends string | number> {
  title: string;
  options: { value: Value; name: string; hint: string | undefined }[];
  chosen: Value | null;
  /** What the first and the last stand for. */
  ends?: [string, string];
  onChoose: (value: Value) => void;
}

export function Choices<Value extends string | number>(props: ChoicesProps<Value>) {
  const { title, options, chosen, ends, onChoose } = props;
  const titleId = useId();
  return (
    <div role="group" aria-labelledby={titleId}>
      <div id={titleId} className={classes.choicesTitle}>
        {title}
      </div>
      <div className={classes.choices}>
        {ends && <span className={classes.quiet}>{ends[0]}</span>}
        {options.map(({ value, name, hint }) => (
          <button
            key={value}
            type="button"
            data-choice
            className={classes.choice}
            aria-pressed={value === chosen}
            onClick={() => onChoose(value)}
          >
            {name}
            {hint && <Kbd size="xs">{hint}</Kbd>}
          </button>
        ))}
        {ends && <span className={classes.quiet}>{ends[1]}</span>}
      </div>
    </div>
  );
}
