/** English phrases by which a reply dodges: patterns over one clause in lower case, without punctuation but apostrophes. */

/** Words that may stand before any clause and change nothing. */
export const leadIn =
  /^(?:(?:but|and|so|well|um+|uh+|hmm+|oh|ah|no|yes|yeah|ok|okay|look|listen|honestly|actually|frankly|sorry|please|unfortunately|anyway|then|hey|because|though|however|really|just|maybe|perhaps)\b[ ]*)+(?=\S)/;

const say =
  "(?:help|assist|answer|respond|reply|discuss|talk|comment|continue|engage|provide|debate|argue|speak|chat|get into|go into|participate|fulfil|fulfill|comply|generate|judge|suggest|recommend|advise|express|do (?:that|this)|tell you(?: (?:that|this|it|anything|more))?$|say (?:anything|any more|more|much)|have (?:this|that) (?:conversation|discussion)|give (?:you )?(?:an?|any|my) (?:opinion|answer|advice|view)|share (?:an?|any|my) (?:opinion|view))";
const about = "(?:about )?(?:that|this|it)";
/** What comes before such a verb where someone will not do it. */
const unwilling =
  "can't|cannot|can not|couldn't|could not|won't|will not|not able to|unable to|not going to|not allowed to|not willing to|not here to|not qualified to|not in a position to|don't (?:want|wish|care|like|need) to|do not (?:want|wish|care|like|need) to|rather not|prefer not to|refuse to|decline to|must decline to|(?:afraid|sorry)(?: that)? i (?:can't|cannot|must not)";
const modifiers = "(?:(?:really|quite|fully|exactly|entirely|completely|honestly|just|simply|still) )*";

export const dodges: readonly RegExp[] = [
  // Refusals.
  new RegExp(`\\bi(?: am|'m|'d| would)? ${modifiers}(?:${unwilling}) (?:be able to )?${modifiers}${say}\\b`),
  new RegExp(
    `\\bi (?:don't|do not) (?:think|believe|feel)(?: that)? i (?:can|could|should|want to|am able to) ${modifiers}${say}\\b`,
  ),
  /\bi(?:'d| would)? (?:rather|prefer) not(?: to)?(?: say)?$/,
  /\bi(?:'d| would) (?:rather|prefer to) (?:talk|speak|discuss|chat)\b/,
  /\bi(?:'m| am| do| would|'d|)(?: not|n't) (?:really |feel |be |very |at all )*comfortable (?:with|talking|discussing|answering|sharing|having|doing|saying)/,
  /\bi(?:'m| am| feel) (?:really |a bit |very )*uncomfortable (?:with (?:this|that|the)|talking|discussing|answering|sharing|having|saying)/,
  /\b(?:it's|it is|that's|that is) not (?:my place|for me|up to me|my job) to (?:say|judge|decide|comment|answer)/,
  /\bas an? (?:ai|artificial|language model|chat ?bot|assistant|virtual)/,
  /\bi(?:'m| am) (?:just |only |merely )?an? (?:ai|artificial|language model|large language model|chat ?bot|bot|virtual|computer|program|machine|assistant)\b/,
  /\b(?:that|this|it)(?:'s| is)(?: not|n't) (?:something|a topic|a subject|a question|anything) (?:that )?(?:i|we)(?:'m| am|'d| would)? (?:can|could|will|want|able|comfortable|would|like|going|talk|discuss|willing)/,
  /\bi have (?:no|nothing) (?:comment|opinion|opinions|view|views|idea|answer|clue|thoughts|to say|to add)\b/,
  /\bi (?:don't|do not) (?:really )?have (?:an?|any|much|enough)(?: strong| real| good| clear| personal)? (?:opinion|opinions|answer|view|views|idea|thoughts|comment|information|knowledge|clue)\b/,
  /^no comment/,
  /\b(?:is|are) (?:beyond|outside|above) (?:what i|my|the scope)\b/,
  /\bi(?:'d| would) (?:rather|prefer to) (?:stay out|keep out|not|leave|remain|avoid|skip|keep)\b/,
  // Questions that only ask back.
  /\bwhat (?:exactly |the hell |on earth |else )?(?:do|did|are|were|is it) (?:it )?(?:that )?you (?:exactly |really |even )?(?:mean|meaning|meant|talking about|talk about|saying|trying to say|trying to tell|asking|referring to|refer to|getting at|on about|implying|suggesting|want(?: from me| me to say)?$|need$)/,
  /\bwould you mind (?:explaining|clarifying|elaborating|rephrasing|repeating|telling me)\b/,
  /^(?:in what (?:way|sense)|how do you mean|meaning|how exactly|on what)$/,
  /^what(?:'s| does| is| was) (?:that|this|it|any of that|any of this)(?: even)?(?: supposed to)?(?: mean)?$/,
  /\b(?:can|could|would|will) you (?:please |kindly |maybe |perhaps )*(?:be (?:more|a bit|a little)|clarify|elaborate|rephrase|reword|repeat|expand on|say (?:that|it) again|tell me (?:(?:a (?:little )?bit )?more|what you)|explain (?:what you|yourself|further|more$|(?:that|this|it)(?: to me)?$|your (?:question|point))|give me more|(?:give|show) me (?:an example|examples)$)/,
  /^(?:please )?(?:clarify|elaborate|rephrase|explain (?:yourself|what you mean|that$|further)|tell me more|say more|go on$|be more specific)/,
  new RegExp(
    `^i (?:don't|do not|didn't|did not|can't|cannot|couldn't|don't think i|do not think i|don't believe i) ${modifiers}(?:understand|follow|get|see|know|catch|tell|hear)(?: at all)? (?:what (?:you|it is you|is it you|to (?:say|tell|answer|think)|that means|this means|is being asked)|how to (?:answer|respond|reply|help|take)|what to tell|it$|how to (?:answer|respond|reply|react)|the (?:question|point|message|joke)|your (?:question|message|point|meaning)|you$|${about}$|you(?:'re| are) (?:saying|talking|asking))`,
  ),
  new RegExp(
    `\\bi(?:'m| am)(?: not|n't) ${modifiers}(?:sure|certain|clear|following) ?(?:on |of |about )?(?:what you|what (?:to|that means|this means|is meant)|how (?:to|i|best)|how that|i (?:understand|follow|get|know what)|if i|that i (?:understand|follow|can)|why you(?:'re| are)? ask|you$|${about}$|your (?:question|point)|the (?:question|point)|$)`,
  ),
  /^why (?:do|would|did|are|is) (?:you|that|this|it)(?: (?:even|always))? ?(?:say|says|saying|think|thinks|ask|asking|asks|feel|believe|so|that)?(?: (?:that|this|so|it|such a thing|something like that|that way|this way|me|me that))*$/,
  /^what (?:makes|made) you (?:say|think|ask|believe|feel)(?: (?:that|this|so|it|that way|such a thing))*$/,
  /^how (?:do|did) you (?:know|mean|feel)(?: (?:that|this|it|about (?:that|this|it)))*$/,
  /^(?:how so|why|why not|what|what for|who|where|when|which|which one|huh|pardon|pardon me|excuse me|sorry|like what|such as|for example|is that so|is it|really|come again|what was that|what about (?:it|them|that|you)|and you|what do you think(?: about (?:it|that|this))?|what (?:is|are|was|were) (?:you|your)(?: (?:question|point))?|are you (?:serious|sure|kidding|joking|okay|ok))$/,
  /\b(?:i|we)(?:'d| would|'ll| will)? need (?:to know )?(?:(?:a (?:little )?bit|some|a little) )?more (?:information|context|details|background|about)/,
  /^(?:your|that|the) (?:question|message|statement)(?: is|'s) (?:too |very |rather |a bit )*(?:broad|vague|unclear|general)/,
  /^(?:do|would) you (?:want|like) to (?:talk|tell me more|chat|speak) ?(?:about (?:it|that|this|something else))?$/,
  /^how does (?:that|this|it) make you feel$/,
  // Deflections.
  /\b(?:let's|let us|can we|could we|shall we|should we|why don't we|maybe we (?:can|could|should)|we (?:can|could|should)) (?:please |just |maybe |instead |rather |all )*(?:change (?:the|this)|(?:talk about|discuss) (?:something|anything|other|another|an?(?:other)? different)|speak about (?:something|other)|focus on (?:something|other)|move on$|move on to|get back|agree to disagree|not (?:talk|discuss|argue|fight|debate|go there|get into|go into|do this|continue)|drop (?:it|this|that|the)|leave (?:it|this|that) (?:at|there|here)|stick to|keep (?:this|it|things|this conversation|this discussion|the conversation) (?:polite|civil|friendly|light|positive))/,
  /\bagree to disagree/,
  /\b(?:talk|speak|chat) about something (?:else|different|nicer|more)/,
  /^(?:that|this|it)(?:'s| is| might be| may be| sounds like) (?:just |only |merely |simply )?(?:your|a matter of|a question of|one|an?) (?:own |personal |valid |possible )?(?:opinion|choice|business|perspective|point of view|way of looking at it|taste|view|thought)s?\b(?! that)(?: on (?:it|this|that))?$/,
  /\b(?:everyone|everybody|each of us|each person|people|you|we)(?:'s|'re| is| are| all| has| have)* (?:entitled to|free to have|a right to|the right to|our own|their own|your own|different) (?:have |hold )?(?:his |her |their |your |our |an? |own |different |his or her )*(?:opinion|view|belief|perspective|thought)s?$/,
  /^(?:everyone|everybody|people|we|we all|others) (?:all )?(?:has|have|hold|see|sees) (?:(?:very |their |our )?(?:own|different) )?(?:views?|opinions?|beliefs?|perspectives?|ideas|things)(?: (?:on|about) (?:this|that|it|things))?(?: differently)?$/,
  /^(?:i (?:guess|suppose|think) )?there are (?:always )?(?:two|many|several|different) sides to (?:every|each|this|the|any)\b/,
  /^(?:that's|that is|it's|it is) (?:just |only |certainly )?one way (?:to|of)\b/,
  /^(?:that's|that is|this is|it's|it is) (?:a |such a )?(?:very |really |quite )?(?:difficult|hard|tough|tricky|complex|big) (?:question|topic|one|issue)(?: to answer)?$/,
  /^i (?:have mixed feelings|never (?:really )?(?:thought|gave)|haven't (?:really )?thought|am not sure how i feel|'m not sure how i feel)\b.{0,20}$/,
  /^(?:you|he|she|they|that) (?:may|might|could)(?: well)? be (?:right|true)$/,
  /^how (?:was|is) your (?:day|week|weekend|morning|evening)/,
  /^do you have any (?:hobbies|pets|plans|siblings)/,
  /^to each (?:his|her|their)(?: or her)? own/,
  /^(?:it|that|this)(?: all)? (?:(?:really )?depends(?: on (?:you|the person|the situation|how you look at it))?$|is (?:a )?(?:very |quite |really |so )?(?:complicated|complex|difficult|hard|tricky|sensitive|controversial|delicate)(?: (?:topic|issue|question|subject|matter|one))?$)/,
  /^it's (?:a )?(?:very |quite |really |so |hard to |difficult to )*(?:complicated|complex|difficult|tricky|sensitive|controversial|delicate|say|tell)(?: (?:topic|issue|question|subject|matter|one))?$/,
  /^there are (?:many|different|several|two|always two|various|a lot of|lots of) (?:different )?(?:sides|views|opinions|perspectives|ways of)(?:\b.{0,30})$/,
  /^(?:who (?:knows|cares)|whatever(?: you (?:say|think|want))?|never mind|nevermind|if you say so|i guess(?: so)?|maybe(?: so)?|perhaps|i suppose(?: so)?|i don't (?:really )?(?:know|care|mind)(?: about (?:that|this|it))?|i do not (?:really )?(?:know|care)|i wouldn't know|no idea|not really|could be|hard to say|i (?:can't|couldn't|cannot|could not) (?:really )?(?:say|tell)|i'm no expert.*|i(?:'m| am) not an expert.*|beats me|time will tell|we(?:'ll| will) see|it is what it is|that's life|such is life|no problem|not my problem|none of my business|that's none of my business)$/,
];

/** Said under any message: alone it answers nothing, beside an argument it takes nothing away. */
export const phatic: readonly RegExp[] = [
  /^(?:ok|okay|k|alright|all right|sure|yes|no|yep|nope|yeah|right|well|oh|ah|hm+|um+|uh+|wow|lol|haha+|hi|hello|hey|hi there|hello there|hey there|bye|goodbye|good (?:morning|evening|day|night)|thanks?|thank you|thanks a lot|please|sorry|cool|nice|great|good|fine|interesting|very interesting|exactly|absolutely|definitely|of course|true|agreed|indeed|i see|i know|i understand|i get it|i hear you|got it|me too|same here|you're welcome|you know|fair enough|point taken|good (?:point|question|one)|great question|i agree(?: with you)?|i think so(?: too)?|so do i|that makes sense|makes sense|you're right|you are right|that's (?:true|right|good|great|nice|cool|fine|ok|okay|funny|interesting|awesome|a shame|too bad|sad|good to (?:know|hear)))$/,
  /^(?:i'm|i am) (?:very |so |really |truly |deeply )?sorry(?: (?:to hear (?:that|this|about that)|about (?:that|this|it)|for (?:that|any misunderstanding|the confusion|any confusion|any inconvenience)|if i .{0,30}|you feel that way|that you feel that way|for your loss))?$/,
  /^i apologi[sz]e(?: for (?:that|this|any|the) ?(?:misunderstanding|confusion|inconvenience)?)?$/,
  /^(?:that|this|it)(?:'s| is| was| sounds)(?: such)? (?:an? )?(?:very |really |quite |so |pretty )?(?:interesting|good|great|tough|hard|nice|fair|valid|fascinating|important|difficult)(?: (?:question|point|topic|thought|idea|opinion|view|perspective|observation|comment|one))?$/,
  /^(?:thanks|thank you) (?:so much |very much )?for (?:sharing|letting me know|telling me|your (?:message|opinion|thoughts?|comment|question|input|feedback|honesty|view))(?: .{0,20})?$/,
  /^i (?:really )?(?:appreciate|respect|understand|see|hear|acknowledge) (?:your|you|where you|what you|that you|how you)(?: .{0,40})?$/,
  /^(?:how (?:are|have) you(?: been| doing)?(?: today)?|how (?:can|may) i (?:help|assist)(?: you)?(?: today)?|what can i (?:do|help) (?:for )?you(?: with)?(?: today)?|(?:is|was) there (?:anything|something) else.*|what (?:would|do) you (?:like|want) to (?:talk|know|chat|discuss).*|do you have any (?:other |more )?questions?.*|let me know if.*|have an? (?:nice|great|good|lovely) (?:day|one|evening|weekend|night)|i hope (?:this|that) helps|i'm (?:here|happy|glad) to help.*|nice to meet you|i (?:don't|do not) think so|i hope so|i hope not)$/,
];
