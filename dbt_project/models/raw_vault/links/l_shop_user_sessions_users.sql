{{ config(unique_key='l_shop_user_session_user_hk') }}

{{ link(
    changes=source('silver', 'shop_user_sessions_changes'),
    hash_key='l_shop_user_session_user_hk',
    hubs=[
        {'hash_key': 'h_shop_user_session_hk', 'column': 'id'},
        {'hash_key': 'h_shop_user_hk', 'column': 'user_id'}
    ]
) }}
