/**
 * Written sentences that teach the difference between naming a group and attacking it, in the manner of Dixon et al.
 * 2018: the same identity terms in kind, neutral, quoting and hostile sentences, so that the term itself says nothing.
 * `identity-audit.ts` measures the effect on sentences that are none of these.
 */
import { type Random, shuffle } from "./random.ts";

/** Plural names of groups. */
export const groups = [
  "Muslims",
  "Jews",
  "Christians",
  "Hindus",
  "atheists",
  "immigrants",
  "migrants",
  "refugees",
  "foreigners",
  "women",
  "men",
  "girls",
  "feminists",
  "gay people",
  "gays",
  "lesbians",
  "bisexual people",
  "trans people",
  "transgender people",
  "trans women",
  "queer people",
  "LGBT people",
  "black people",
  "black women",
  "white people",
  "Asians",
  "Arabs",
  "Africans",
  "Mexicans",
  "Latinos",
  "Chinese people",
  "Indians",
  "Romani people",
  "disabled people",
  "autistic people",
  "blind people",
  "deaf people",
  "old people",
  "poor people",
  "overweight people",
] as const;

const kind = [
  "My best friends are {g}.",
  "{g} deserve the same rights as everyone else.",
  "We should listen to {g} when they describe what happens to them.",
  "I met some {g} last week and we had a lovely evening.",
  "There are many {g} in our town, and they work hard.",
  "Not all {g} are the same, just as not all of your neighbours are.",
  "Most {g} just want to live in peace.",
  "I do not hate {g}, and I never will.",
  "It is wrong to say that {g} are stupid.",
  "Saying that {g} are criminals is a harmful stereotype.",
  "Why do you think that {g} are dangerous? The facts say otherwise.",
  "Nobody should be insulted because they are {g}.",
  "{g} have contributed a great deal to this country.",
  "There is no evidence that {g} commit more crimes.",
  "Do you know any {g} personally?",
  "{g} are human beings like you and me.",
  "Blaming {g} for everything will not solve the problem.",
  "The article is about {g} and their history.",
  "A new centre for {g} opened downtown on Monday.",
  "I am proud that {g} are part of my family.",
  "We welcome {g} here.",
  "Hatred against {g} has no place in our society.",
  "Please do not talk about {g} like that, it hurts people.",
  "How would you feel if someone said that about {g}?",
  "Violence against {g} is rising and must be stopped.",
  "Calling {g} animals is never acceptable.",
  "Our new neighbours are {g}, and their children play with ours.",
  "She teaches {g} to read and write.",
  "A group of {g} asked me for directions at the station.",
  "He wrote a novel about three {g} who travel the world.",
  "The survey asked {g} about their jobs and hobbies.",
  "{g} pay taxes, raise families and follow the news.",
  "My doctor and my favourite singer are {g}.",
  "The film shows how {g} lived in the last century.",
  "Did you know that some of the first doctors in our region were {g}?",
  "Where do {g} meet in this city?",
  "The council invited {g} to speak about the new park.",
  "{g} in this village celebrate together every spring.",
  "There were {g} among the volunteers after the flood.",
  "You cannot judge {g} by what one person did.",
  "I work with {g} every day, and they are as different as anyone.",
  "If you talk to {g}, you will see that they share your worries.",
];

const hostile = [
  "I hate {g}.",
  "{g} are disgusting.",
  "{g} are stupid and lazy.",
  "All {g} are criminals.",
  "{g} should not be allowed to vote.",
  "{g} do not belong in this country, kick them out.",
  "Nobody wants {g} here.",
  "I can't stand {g}, they make me sick.",
  "{g} ruin everything they touch.",
  "{g} are animals.",
  "{g} are not real humans.",
  "We need to get rid of {g}.",
  "The world would be better without {g}.",
  "Never trust {g}, they all lie.",
  "{g} are a disease.",
  "{g} deserve to suffer.",
  "Send all the {g} back to where they came from.",
  "{g} are parasites and a waste of space.",
  "Typical {g}, too dumb to understand.",
  "{g} should be locked up.",
];

/** Rude without a single bad word, beside civil sentences of the same words. */
const rude = [
  "You are a waste of space.",
  "Nobody likes you and nobody ever will.",
  "You are the dumbest person I have ever met.",
  "Shut your mouth, you clown.",
  "What a pathetic little man you are.",
  "You have the brain of a potato.",
  "Your parents must be so ashamed of you.",
  "Crawl back under your rock.",
  "You make me sick.",
  "Get lost, nobody asked you.",
  "People like you should not be allowed to breathe.",
  "You are a worthless liar and a coward.",
  "I hope you lose everything you have.",
  "Go jump off a bridge.",
  "You are too stupid to understand this.",
  "You disgust me, you ugly freak.",
  "I will find you and make you pay.",
  "You are nothing but trash.",
];
const civil = [
  "You are never a waste of my time.",
  "Many people like you, and they always will.",
  "You are the kindest person I have ever met.",
  "Open your mouth, please, said the dentist to the clown.",
  "What a gentle man you are.",
  "I had a baked potato for dinner.",
  "Your parents must be so proud of you.",
  "The crab crawled back under its rock.",
  "The boat trip made me seasick.",
  "I got lost on the way, could you tell me where to go?",
  "People like you should be heard.",
  "I was called worthless once, and it hurt for years.",
  "I hope you find everything you need.",
  "They built a bridge over the river.",
  "This is too difficult for me to understand, can you explain?",
  "Calling someone ugly is unkind.",
  "I will find out and let you know.",
  "Please take out the trash.",
];

export interface WrittenSentence {
  text: string;
  toxic: boolean;
  identityAttack: boolean;
}

/** All kind and hostile sentences with every group, and the rude and civil ones repeated to be heard among them. */
export function writtenSentences(random: Random): WrittenSentence[] {
  const fill = (templates: readonly string[], toxic: boolean) =>
    templates.flatMap((template) =>
      groups.map((group) => ({ text: capitalized(template.replace("{g}", group)), toxic, identityAttack: toxic })),
    );
  const repeated = (texts: readonly string[], toxic: boolean) =>
    Array.from({ length: 10 }, () => texts.map((text) => ({ text, toxic, identityAttack: false }))).flat();
  const all = [...fill(kind, false), ...fill(hostile, true), ...repeated(rude, true), ...repeated(civil, false)];
  shuffle(all, random);
  return all;
}

const capitalized = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
