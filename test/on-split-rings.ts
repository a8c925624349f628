/** For tests that look into the memory of split rings, or pin what is negotiated with them: they are left out of the test project `packed`. */
export const ON_SPLIT_RINGS = { skip: process.env.RINGS === 'packed' }
