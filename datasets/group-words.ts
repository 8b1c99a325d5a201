/** Words that group-swap.ts goes by. */

/** Plural names of groups that are exchanged for others where they stand. */
export const swappedGroups: readonly string[] = [
  ...[
    "migrants",
    "immigrants",
    "refugees",
    "asylum seekers",
    "foreigners",
    "muslims",
    "jews",
    "blacks",
    "black people",
  ],
  ...[
    "women",
    "gays",
    "gay people",
    "homosexuals",
    "lesbians",
    "gypsies",
    "disabled people",
    "people with disabilities",
  ],
];

/** What is true or said of some groups only: a text with such a word is left alone. Regular expressions of whole words. */
export const specificWords: readonly string[] = [
  ...["islam\\w*", "muslims?", "quran", "koran", "mosques?", "sharia", "hijab", "burqa", "religio\\w*", "faith\\w*"],
  ...["jews?", "jewish", "judaism", "holocaust", "nazi\\w*", "israel\\w*", "anti-?semit\\w*", "synagogue\\w*"],
  ...[
    "gays?",
    "homosex\\w*",
    "heterosex\\w*",
    "lgbt\\S*",
    "lesbians?",
    "sexual\\w*",
    "orientation",
    "marri\\w*",
    "bible",
  ],
  ...[
    "gender\\w*",
    "wom[ae]n",
    "m[ae]n",
    "female\\w*",
    "males?",
    "girls?",
    "mother\\w*",
    "wife",
    "wives",
    "feminis\\w*",
  ],
  ...["blacks?", "whites?", "races?", "racial\\w*", "racis\\w*", "skin", "afric\\w*", "colou?red?", "slave\\w*"],
  ...["migra\\w*", "immigra\\w*", "refugees?", "asylum", "foreign\\w*", "border\\w*", "boats?", "wars?"],
  ...["disab\\w*", "gyps\\w*", "roma", "christian\\w*", "god", "terroris\\w*", "child\\w*"],
];

/** What they are exchanged for. */
export const replacementGroups: readonly string[] = [
  ...[
    "Roma people",
    "Travellers",
    "Mexicans",
    "Latinos",
    "Poles",
    "Turks",
    "Chinese people",
    "Japanese people",
    "Asians",
  ],
  ...["Africans", "Arabs", "Albanians", "Romanians", "Nigerians", "Indians", "Pakistanis", "Syrians", "Afghans"],
  ...["Somalis", "Moroccans", "Russians", "Ukrainians", "Americans", "Germans", "French people", "Italians"],
  ...[
    "Irish people",
    "asylum seekers",
    "foreigners",
    "refugees",
    "immigrants",
    "migrants",
    "Muslims",
    "Jews",
    "Hindus",
  ],
  ...["Buddhists", "Sikhs", "Christians", "Catholics", "Mormons", "atheists", "women", "girls", "feminists"],
  ...["single mothers", "working mothers", "trans people", "bisexuals", "lesbians", "gay people", "black people"],
  ...["old people", "pensioners", "teenagers", "young people", "students", "poor people", "homeless people"],
  ...["unemployed people", "people on benefits", "disabled people", "people with a mental illness", "autistic people"],
  ...["deaf people", "blind people", "sick people", "fat people", "short people", "drug addicts", "prisoners"],
  ...["veterans", "farmers", "nurses", "politicians", "liberals", "vegans"],
];
