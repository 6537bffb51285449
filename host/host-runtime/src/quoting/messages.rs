//! The messages of AESM that quotes need. Names and numbers are those of Intel's `messages.proto`; members that this
//! client never sends are left out, and what it does not know in an answer is skipped, as Protocol Buffers do.

/// One member is there: the question.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Request {
    #[prost(message, optional, tag = "15")]
    pub init_quote_ex: Option<InitQuoteEx>,
    #[prost(message, optional, tag = "16")]
    pub get_quote_size_ex: Option<GetQuoteSizeEx>,
    #[prost(message, optional, tag = "17")]
    pub get_quote_ex: Option<GetQuoteEx>,
    #[prost(message, optional, tag = "21")]
    pub get_supported_att_key_id_num: Option<GetSupportedAttKeyIdNum>,
    #[prost(message, optional, tag = "22")]
    pub get_supported_att_key_ids: Option<GetSupportedAttKeyIds>,
}

/// One member is there: the answer to what was asked.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Response {
    #[prost(message, optional, tag = "15")]
    pub init_quote_ex: Option<InitQuoteExAnswer>,
    #[prost(message, optional, tag = "16")]
    pub get_quote_size_ex: Option<GetQuoteSizeExAnswer>,
    #[prost(message, optional, tag = "17")]
    pub get_quote_ex: Option<GetQuoteExAnswer>,
    #[prost(message, optional, tag = "21")]
    pub get_supported_att_key_id_num: Option<GetSupportedAttKeyIdNumAnswer>,
    #[prost(message, optional, tag = "22")]
    pub get_supported_att_key_ids: Option<GetSupportedAttKeyIdsAnswer>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InitQuoteEx {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub att_key_id: Option<Vec<u8>>,
    #[prost(bool, required, tag = "3")]
    pub b_pub_key_id: bool,
    #[prost(uint64, optional, tag = "4")]
    pub buf_size: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetQuoteSizeEx {
    #[prost(bytes = "vec", optional, tag = "1")]
    pub att_key_id: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetQuoteEx {
    #[prost(bytes = "vec", required, tag = "1")]
    pub report: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub att_key_id: Option<Vec<u8>>,
    #[prost(uint32, required, tag = "4")]
    pub buf_size: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetSupportedAttKeyIdNum {}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetSupportedAttKeyIds {
    #[prost(uint32, required, tag = "1")]
    pub buf_size: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct InitQuoteExAnswer {
    #[prost(uint32, required, tag = "1", default = "1")]
    pub error_code: u32,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub target_info: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetQuoteSizeExAnswer {
    #[prost(uint32, required, tag = "1", default = "1")]
    pub error_code: u32,
    #[prost(uint32, optional, tag = "2")]
    pub quote_size: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetQuoteExAnswer {
    #[prost(uint32, required, tag = "1", default = "1")]
    pub error_code: u32,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub quote: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetSupportedAttKeyIdNumAnswer {
    #[prost(uint32, required, tag = "1", default = "1")]
    pub error_code: u32,
    #[prost(uint32, optional, tag = "2")]
    pub att_key_id_num: Option<u32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetSupportedAttKeyIdsAnswer {
    #[prost(uint32, required, tag = "1", default = "1")]
    pub error_code: u32,
    #[prost(bytes = "vec", optional, tag = "2")]
    pub att_key_ids: Option<Vec<u8>>,
}
