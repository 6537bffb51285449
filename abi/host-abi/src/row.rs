//! The form of a row of the table of host calls, and the macro that makes the types from the rows.

/// A host call, as `docs/host-calls.md` shows it to a reviewer.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The call's name, which is its type's.
    pub name: &'static str,
    /// Its number, see [`crate::CallCode`].
    pub code: u64,
    /// What it is for: the lines of its type's documentation.
    pub purpose: &'static [&'static str],
    /// Its arguments, in the order of their words.
    pub arguments: &'static [Field],
    /// What it puts into the staging buffer; empty for nothing.
    pub staged: &'static str,
    /// What the host puts into the staging buffer; empty for nothing.
    pub returned: &'static str,
    /// The type of the answer, and what it means.
    pub answer: (&'static str, &'static str),
    /// What is checked of the answer, here and by who asked.
    pub checked: &'static str,
    /// The most that a host achieves that lies.
    pub lie: &'static str,
}

/// An argument of a host call.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type, as the source has it.
    pub kind: &'static str,
    /// The values that it may have, as a range of Rust's; empty if its type says it all.
    pub bounds: &'static str,
}

/// What else the host tells the enclave or decides for it.
#[derive(Clone, Copy, Debug)]
pub struct Input {
    /// What it is.
    pub name: &'static str,
    /// What is checked of it.
    pub checked: &'static str,
    /// The most that a host achieves that lies.
    pub lie: &'static str,
}

/// Makes the type of each call with its [`crate::HostCall`], the enum [`crate::CallCode`] and the rows for the page.
///
/// A row reads:
/// ```text
/// /// Purpose.
/// Name = code {
///     /// Meaning.
///     field: Type where ..=MAX,
/// }
/// staged "what goes along", returned "what comes along",
/// answer Type "meaning", checked "what is checked" by |call, answer| check,
/// lie "the most that a lie achieves";
/// ```
macro_rules! host_calls {
    ($(
        $(#[doc = $purpose:literal])*
        $name:ident = $code:literal $({ $(
            $(#[doc = $meaning:literal])*
            $field:ident: $type:ty $(where $bounds:expr)?,
        )+ })?
        staged $staged:literal, returned $returned:literal,
        answer $answer:ty as $answer_meaning:literal, checked $checked:literal by $check:expr,
        lie $lie:literal;
    )*) => {
        $(
            $crate::row::call_type! {
                $(#[doc = $purpose])*
                $name $({ $( $(#[doc = $meaning])* $field: $type $(where $bounds)?, )+ })?
            }

            impl HostCall for $name {
                const CODE: CallCode = CallCode::$name;
                type Answer = $answer;

                fn to_args(&self) -> [u64; ARGUMENT_WORDS] {
                    self.words()
                }

                fn from_args(args: [u64; ARGUMENT_WORDS]) -> Option<Self> {
                    Self::of_words(args)
                }

                fn check(&self, answer: Answer) -> Result<$answer, CallError> {
                    let check: fn(&Self, Answer) -> Result<$answer, CallError> = $check;
                    check(self, answer)
                }
            }
        )*

        /// The number of each call.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u64)]
        #[expect(missing_docs, reason = "each is named after the call type that documents it")]
        pub enum CallCode { $($name = $code,)* }

        impl CallCode {
            /// All calls, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The call with this number.
            pub const fn from_raw(raw: u64) -> Option<Self> {
                match raw { $($code => Some(Self::$name),)* _ => None }
            }

            /// The call's name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }

        /// The table: a row per call, by number.
        pub const ROWS: &[Row] = &[$(
            Row {
                name: stringify!($name),
                code: $code,
                purpose: &[$($purpose),*],
                arguments: &[$($(
                    Field { name: stringify!($field), kind: stringify!($type), bounds: concat!($(stringify!($bounds))?) },
                )+)?],
                staged: $staged,
                returned: $returned,
                answer: (stringify!($answer), $answer_meaning),
                checked: $checked,
                lie: $lie,
            },
        )*];
    };
}

/// The type of one call, and its fields as words.
macro_rules! call_type {
    ($(#[doc = $purpose:literal])* $name:ident) => {
        $(#[doc = $purpose])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name;

        impl $name {
            fn words(self) -> [u64; ARGUMENT_WORDS] {
                [0; ARGUMENT_WORDS]
            }

            fn of_words(_: [u64; ARGUMENT_WORDS]) -> Option<Self> {
                Some(Self)
            }
        }
    };
    ($(#[doc = $purpose:literal])* $name:ident { $(
        $(#[doc = $meaning:literal])*
        $field:ident: $type:ty $(where $bounds:expr)?,
    )+ }) => {
        $(#[doc = $purpose])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name { $( $(#[doc = $meaning])* pub $field: $type, )+ }

        const _: () = assert!(0 $(+ <$type as Argument>::WORDS)+ <= ARGUMENT_WORDS);

        impl $name {
            fn words(self) -> [u64; ARGUMENT_WORDS] {
                let mut args = [0; ARGUMENT_WORDS];
                let mut words = args.iter_mut();
                $( self.$field.put(&mut words); )+
                args
            }

            fn of_words(args: [u64; ARGUMENT_WORDS]) -> Option<Self> {
                let mut words = args.iter();
                $( let $field = <$type>::take(&mut words)$(.filter(|value| ($bounds).contains(value)))??; )+
                Some(Self { $($field),+ })
            }
        }
    };
}

pub(crate) use {call_type, host_calls};
