import classes from "./key-hint.module.css";

/** The key that does what a button does, beside the button's name; not shown where there is no keyboard. */
export function KeyHint({ keys }: { keys: string }) {
  return (
    <span className={classes.hint} aria-hidden="true">
      {keys}
    </span>
  );
}
