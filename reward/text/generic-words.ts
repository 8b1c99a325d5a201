/**
 * English words of which a clause can be made that says nothing about anything: pronouns and other function words, and
 * the vocabulary of talking about talk.
 */
const functionWords = `
  a an the this that these those it its it's that's there there's here i me my mine myself i'm i'd i'll i've you your
  yours yourself you're you'd you'll you've u we us our we're we'd we'll we've one ones each both either neither any
  anything anyone some something someone such other others another else same and or but so if then than as of on in at
  to from with without about for by into onto up down out off over again what what's which who who's whom where when
  why how whatever am is isn't are aren't was wasn't were weren't be been being do don't does doesn't did didn't doing
  done have haven't has hasn't had hadn't having can can't cannot could couldn't will won't would wouldn't shall
  should shouldn't may might must let let's get gets got go going gone come coming not no nor yes yeah yep nope ok
  okay alright oh ah hm hmm uh um well please sorry thanks thank hello hi hey bye very really quite too just only also
  even still yet ever never now today always sometimes maybe perhaps probably actually honestly frankly unfortunately
  anyway indeed certainly definitely exactly simply rather pretty bit little lot much many more most few less enough
  all everything nothing like right sure fine way ways
`;

const talkAboutTalk = `
  say says saying said tell tells telling told talk talks talking talked speak speaking discuss discussing discussion
  discussions debate debates debating argue arguing argument conversation conversations chat chatting comment comments
  commenting answer answers answering respond responding response responses reply replies replying ask asks asking
  asked question questions message messages statement statements topic topics subject subjects matter matters issue
  issues thing things point points opinion opinions view views viewpoint belief thought thoughts idea ideas
  perspective perspectives feeling feelings feel feels think thinking thinks know knows knowing mean means meaning
  meant understand understands understanding understood see hear heard listen read follow guess suppose wonder believe
  agree agreed disagree differ differs decide explain explaining explanation clarify elaborate rephrase repeat
  specific precise detail details information context example examples need needs want wants wish prefer try trying
  help helps helping assist share sharing give gave take takes taking side sides involved engage continue change skip
  avoid express provide noted appreciate apologies apologize apologise respect interesting interested comfortable
  uncomfortable able unable allowed qualified position place sensitive complicated complex difficult hard tough tricky
  mixed strong depends depend moment time times beg pardon different somebody add good keep mind pass misunderstood
  struggle choose hope day brings bring put
`;

export const genericWords: ReadonlySet<string> = new Set(
  `${functionWords} ${talkAboutTalk}`.split(/\s+/).filter(Boolean),
);
