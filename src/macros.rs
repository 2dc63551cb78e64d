/// `Debug` under the right name for types around a closure, which has none.
macro_rules! opaque_debug {
    ($($name:ident<$($closure:ident),+>)*) => {$(
        impl<$($closure),+> std::fmt::Debug for $name<$($closure),+> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
    ($($name:ident)*) => {$(
        impl<F> std::fmt::Debug for $name<F> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )*};
}
