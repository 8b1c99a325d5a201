/** Asks whether the conversation may train the model; off until a person says yes. */
import { Switch } from "@mantine/core";

export interface ConsentSwitchProps {
  consent: boolean;
  onConsent: (consent: boolean) => void;
}

export function ConsentSwitch({ consent, onConsent }: ConsentSwitchProps) {
  return (
    <Switch
      mt="xs"
      size="sm"
      styles={{ label: { fontSize: "0.82rem" }, description: { fontSize: "0.76rem", marginTop: 1 } }}
      checked={consent}
      onChange={(event) => onConsent(event.currentTarget.checked)}
      label="May this conversation be used for training?"
      description={
        consent
          ? "Yes: what you send from now on, and the replies, may train the next version."
          : "No: it is logged to run the service, but the model does not learn from it."
      }
    />
  );
}
