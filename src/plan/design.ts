/** Where the broker runs: on a core of its own, or on whichever core needs it. */
export type Design = 'dedicated' | 'floating'
