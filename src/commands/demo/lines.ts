/** The people and lines of the demo; all made up. */

/** Handles are `demo_<word>`; nobody's name. */
export const WORDS = [
  "amber",
  "birch",
  "cedar",
  "dune",
  "ember",
  "fjord",
  "grove",
  "heron",
  "inlet",
  "juniper",
  "kelp",
  "larch",
] as const;

export interface Topic {
  title: string;
  lines: readonly string[];
}

export const GROUPS: readonly Topic[] = [
  {
    title: "Saturday walk",
    lines: [
      "Who is in for Saturday?",
      "I am. Same place as last time?",
      "The forecast says sun until four.",
      "Then let's start at nine, before it gets hot.",
      "I'll bring sandwiches. Anyone against cheese?",
      "The path by the river is open again.",
      "How long is the loop?",
      "Eleven kilometres, mostly flat.",
      "My boots are still wet from the last one.",
      "I can take three people in the car.",
      "Bus 14 stops right at the trail head.",
      "See you at the bridge then.",
    ],
  },
  {
    title: "Book circle",
    lines: [
      "Has everybody finished part one?",
      "Two chapters to go. No spoilers please!",
      "The narrator is not telling us everything.",
      "I had to read the letter scene twice.",
      "Same. I think the aunt wrote it.",
      "That would explain the stamps.",
      "Shall we meet on Thursday?",
      "Thursday works. My place?",
      "I'll bring the lemon cake.",
      "What do we read next?",
      "Something short, after this one.",
      "I have a list. Of course I have a list.",
    ],
  },
  {
    title: "Kitchen talk",
    lines: [
      "The new oven is finally connected.",
      "First loaf is in. Wish me luck.",
      "What temperature?",
      "240 with steam, then down to 210.",
      "It smells right at least.",
      "The crust sings! Listen to that crackle.",
      "Can somebody share the soup recipe again?",
      "Leeks, potatoes, a bay leaf, patience.",
      "Out of bay leaves. Does it matter?",
      "A little. Thyme helps.",
      "Dinner at seven, whoever is around.",
      "I'm around, and hungry.",
    ],
  },
];

/** What people say in the threads of their groups' first messages. */
export const REPLIES: readonly string[] = [
  "Let's keep this one here.",
  "Good idea, the rest moves on anyway.",
  "I'll look it up and come back.",
  "Found it: yes.",
  "That settles it.",
];

export const REACTIONS: readonly string[] = ["👍", "❤️", "😂", "🎉", "👀"];

export const CHAT: readonly string[] = [
  "Hey, got a minute?",
  "Sure, what's up?",
  "Did you see the photos from the lake?",
  "Just now. The third one is great.",
  "I'm on the train, connection comes and goes.",
  "No rush.",
  "Could you send me the address again?",
  "Of course, one moment.",
  "Found it, thanks!",
  "How did it go yesterday?",
  "Better than expected, honestly.",
  "Tell me everything.",
  "Coffee tomorrow?",
  "Yes! Ten o'clock?",
  "Perfect.",
  "I'll be a few minutes late.",
  "All good, I have a book with me.",
  "Look at the moon right now.",
  "Wow.",
  "Talk later!",
];

export const POSTS: readonly string[] = [
  "First frost on the balcony this morning. The basil did not make it.",
  "Finished the blue bench at last. Three coats, two weekends, one splinter.",
  "Small victory: the old radio works again. It was one cold joint.",
  "If anybody misses a grey cat in the garden street: it is asleep on my bicycle.",
  "The library has a seed shelf now. Take a bag, leave a bag.",
  "Today's experiment: bread with roasted onions. Verdict: again.",
  "Forty minutes in the fog and then, suddenly, the whole valley.",
  "Learning to juggle. The neighbours below are learning patience.",
];

export const COMMENTS: readonly string[] = [
  "Lovely!",
  "Where is that?",
  "I want one too.",
  "This made my day.",
  "Save me a slice.",
  "Next time take me along.",
  "How long did that take?",
  "Well done!",
];

export function pick<T>(list: readonly T[]): T {
  const one = list[Math.floor(Math.random() * list.length)];
  if (one === undefined) throw new Error("pick: the list is empty");
  return one;
}

/** `count` different ones, in any order; fewer where there are fewer. */
export function pickSome<T>(list: readonly T[], count: number): T[] {
  const left = [...list];
  const picked: T[] = [];
  while (picked.length < count && left.length > 0) {
    picked.push(...left.splice(Math.floor(Math.random() * left.length), 1));
  }
  return picked;
}
