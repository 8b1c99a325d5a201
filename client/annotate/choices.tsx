/** A row of buttons of which one may be pressed. */
import { KeyHint } from "../shell/key-hint.tsx";
import classes from "./annotate.module.css";

export interface ChoicesProps<Value extends string | number> {
  title: string;
  options: { value: Value; name: string; hint?: string }[];
  chosen: Value | null;
  /** Keys for all of them, where the single ones name none. */
  keys?: string;
  /** What the first and the last stand for. */
  ends?: [string, string];
  onChoose: (value: Value) => void;
}

export function Choices<Value extends string | number>(props: ChoicesProps<Value>) {
  const { title, options, chosen, keys, ends, onChoose } = props;
  return (
    <fieldset className={classes.fieldset}>
      <legend className={classes.choicesTitle}>
        {title} {keys && <KeyHint keys={keys} />}
      </legend>
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
            {hint && <KeyHint keys={hint} />}
          </button>
        ))}
        {ends && <span className={classes.quiet}>{ends[1]}</span>}
      </div>
    </fieldset>
  );
}
